"""What is answered: `model_routes` (one bundle's paths) over `service` (whose turn it is), behind keys and rates.

`served_models` and `reload` hold the bundles and take over new versions; `request_log`, `server_metrics`, `readiness`
tell operators what happens; `openapi` describes it.
"""
