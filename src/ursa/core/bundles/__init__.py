"""A bundle file -> its checked parts: the archive (`bundle_zip`), its document (`bundle_document`), its model.

Nothing in it is trusted: the ONNX graph is read here (`protobuf`, `onnx_file`) and held to rules (`onnx_rules`) before
any runtime sees it.
"""
