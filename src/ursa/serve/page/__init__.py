"""Predictor -> the page that visitors see: HTML, style and scripts, and the three things that the page asks for.

The scripts reach the model through `assets/model.js` alone: another file in its place makes the same page ask another
model.
"""
