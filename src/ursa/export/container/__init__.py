"""A bundle -> the files of a folder from which a container is built: recipe, requirements, Ursa itself, manifests."""
