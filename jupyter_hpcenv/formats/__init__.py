"""Read and write the files that describe environments: requirements, lists of modules, and the files of conda."""
