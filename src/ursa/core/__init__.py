"""What everything else stands on, without torch and polars: pictures, views, labels, findings, statistics, bundles.

`decoding` turns bytes into pixels, `prepare` pixels into what a model sees, `bundles` reads what `ursa train` wrote.
"""
