"""A bundle -> what is put online: a smaller model, a container."""
