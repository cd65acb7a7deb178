"""Prediction and the web app: onnxruntime and Starlette, never torch."""
