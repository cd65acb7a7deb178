"""A trained network -> a bundle or an ONNX file, refused unless it predicts what the network predicts (`parity`)."""
