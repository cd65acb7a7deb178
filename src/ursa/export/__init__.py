"""A trained network -> a bundle or an ONNX file, refused unless both predict the same (`parity`)."""
