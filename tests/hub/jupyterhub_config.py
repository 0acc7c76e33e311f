"""The configuration that docs/how-to/admins shows, on one machine and with the ports and homes of a test.

HPCENV_HUB says in JSON where everything is; what it overrides of the example is below, and nothing else is.
"""

import json
import os
import sys
from pathlib import Path

c = get_config()  # noqa: F821  given by traitlets
given = json.loads(os.environ["HPCENV_HUB"])
folder, ports = given["folder"], given["ports"]
slurm = given.get("slurm", "")

example = "jupyterhub_slurm.py" if slurm else "jupyterhub_config.py"
load_subconfig(example, path=str(Path(__file__).parents[2] / "docs" / "how-to" / "admins"))  # noqa: F821

c.JupyterHub.bind_url = f"http://127.0.0.1:{ports[0]}{given.get('base_url', '')}"
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{ports[1]}"
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{ports[2]}"
c.ConfigurableHTTPProxy.command = [given["proxy"]]
c.ConfigurableHTTPProxy.pid_file = f"{folder}/proxy.pid"
c.JupyterHub.db_url = f"sqlite:///{folder}/hub.sqlite"
c.JupyterHub.cookie_secret_file = f"{folder}/cookie_secret"

c.Authenticator.allow_all = True
c.SimpleLocalProcessSpawner.home_dir_template = f"{folder}/home/{{username}}"
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.args = [*c.Spawner.args[:-1], "--HubOAuth.cache_max_age=1", "--allow-root"]
c.Spawner.start_timeout = c.Spawner.http_timeout = 60
c.Spawner.environment = {**c.Spawner.environment, **given["variables"], "JUPYTERHUB_ACTIVITY_INTERVAL": "1"}

# What servers say of their activity decides, at once; what passes the proxy is not counted (every open tab would be).
c.JupyterHub.activity_resolution = 0
c.JupyterHub.last_activity_interval = 0

c.JupyterHub.services[0]["api_token"] = given["token"]
if given.get("cull"):
    c.JupyterHub.services[1]["command"][-1:] = [f"--timeout={given['timeout']}", "--cull-every=1"]
else:
    del c.JupyterHub.services[1], c.JupyterHub.load_roles[2]

if slurm:
    from batchspawner import SlurmSpawner

    class InAFolder(SlurmSpawner):
        """Jobs of who runs the test, in a home of the test; Slurm and the Hub are on this machine alone."""

        def user_env(self, env):
            return {**env, "USER": self.user.name, "HOME": f"{folder}/home/{self.user.name}"}

        def _req_homedir_default(self):
            return f"{folder}/home/{self.user.name}"

    c.JupyterHub.spawner_class = InAFolder
    c.SlurmSpawner.exec_prefix = ""
    c.SlurmSpawner.ip = "127.0.0.1"
    c.SlurmSpawner.batchspawner_singleuser_cmd = f"{Path(sys.executable).parent}/batchspawner-singleuser"
    c.SlurmSpawner.cmd = [f"{Path(sys.executable).parent}/jupyterhub-singleuser"]
    c.SlurmSpawner.state_exechost_exp = "127.0.0.1"  # the node's name means nothing here
    c.SlurmSpawner.poll_interval = 1  # seconds until the Hub sees that a job has ended
    c.SlurmSpawner.req_memory = "1G"
    c.SlurmSpawner.req_nprocs = "1"
