"""The environment manager `conda`: prefixes of conda packages, built by an engine of our own or by the site's."""
