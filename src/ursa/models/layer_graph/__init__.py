"""A network and an input -> which layer's output goes where (`flow`), written as Mermaid (`mermaid`)."""
