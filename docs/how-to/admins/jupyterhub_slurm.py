"""The Hub of jupyterhub_config.py, with servers that are jobs of Slurm."""

c = get_config()  # noqa: F821  given by traitlets
load_subconfig("jupyterhub_config.py")  # noqa: F821

import batchspawner  # noqa: E402, F401  its address at the Hub, where jobs say on which port they listen

c.JupyterHub.spawner_class = "batchspawner.SlurmSpawner"
c.SlurmSpawner.req_partition = "interactive"
c.SlurmSpawner.req_runtime = "8:00:00"
c.SlurmSpawner.req_memory = "8G"
c.SlurmSpawner.req_nprocs = "4"
# No job step: with srun, a kernel that uses MPI would be a step in a step.
c.SlurmSpawner.req_srun = ""
c.SlurmSpawner.start_timeout = 300

# What jobs reach the Hub by: an address of its own host that compute nodes can resolve.
# c.JupyterHub.hub_connect_ip = "hub.example.org"
# c.JupyterHub.hub_ip = "0.0.0.0"
