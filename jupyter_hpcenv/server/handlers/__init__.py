"""One file a resource: each method parses, makes one call in a thread, and serialises the answer."""
