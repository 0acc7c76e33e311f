"""What can be done to an environment, one verb a file; each leaves the old state or the new one."""
