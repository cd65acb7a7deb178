"""Bundle, onnxruntime-web -> a folder that any static host can serve: the page; the visitor's browser runs the model.

`assets` take the place of the page's own file that asks the server (`serve/page/assets/model.js`).
"""
