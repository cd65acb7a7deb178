"""Bundle, onnxruntime-web -> a folder that any static host can serve: the page, with the model run by the visitor's browser.

`assets` take the place of the page's own file that asks the server (`serve/page/assets/model.js`).
"""
