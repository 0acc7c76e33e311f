"""Read and write the files that describe environments: requirements today."""
