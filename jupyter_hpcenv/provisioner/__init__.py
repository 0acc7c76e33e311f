"""Let kernels run in jobs of the batch system: what Jupyter's kernel manager calls, and what runs on the node.

Jupyter finds `BatchProvisioner` by its entry point, and imports it only for a kernelspec that names it.
"""
