"""Ursa."""
