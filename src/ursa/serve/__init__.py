"""A bundle -> predictions over HTTP, on a CPU, without torch: `app` (the paths), `predictor` (the model), `run`.

`http` holds what keeps a server alive among strangers.
"""
