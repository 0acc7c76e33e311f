"""Read and write the files that describe environments: requirements and lists of modules."""
