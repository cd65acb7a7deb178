"""Bytes of a picture file -> pixels, or the reason why not.

`kinds` says what the bytes are, `image` reads them; `headers`, `markers` and `decoding_limits` judge them before
anything is decoded. Only a worker of `ursa.sandbox` calls `image.read`.
"""
