"""A JupyterHub whose users make environments; jupyterhub.md beside this file says what each part is for.

Servers run where the Hub runs. Where they are to be batch jobs, use jupyterhub_slurm.py, which reads this file first.
"""

import sys

c = get_config()  # noqa: F821  given by traitlets

# Replace both: “dummy” lets in everybody with any password, and “simple” starts every server as the Hub's own user.
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.spawner_class = "simple"
# Others than “dummy” let nobody in before you say who may; with Linux's own passwords, for example:
# c.JupyterHub.authenticator_class = "pam"
# c.PAMAuthenticator.open_sessions = False
# c.Authenticator.allow_all = True  # or: c.Authenticator.allowed_users = {"user1", "user2"}

# What a server's authorizer goes by: to enter a server is one thing, to do something there is another.
ACTIONS = {
    "read": "Look at environments, files and kernels on a server",
    "write": "Delete, restore and rename on a server",
    "execute": "Run things on a server: kernels, terminals, builds of environments",
}
MAY = [f"custom:jupyter_server:{action}" for action in ACTIONS]
c.JupyterHub.custom_scopes = {
    f"custom:jupyter_server:{action}": {"description": text} for action, text in ACTIONS.items()
}
c.Spawner.args = [
    "--ServerApp.authorizer_class=jupyter_hpcenv.server.scopes.ScopesAuthorizer",
    "--HubOAuth.cache_max_age=60",  # seconds that a server takes a token for good before it asks the Hub again
]

# People may do everything on their own servers, by the browser and by what runs there.
c.Spawner.oauth_client_allowed_scopes = [f"{scope}!user" for scope in MAY]
c.Spawner.server_token_scopes = ["users:activity!user", "access:servers!user", *(f"{scope}!user" for scope in MAY)]

c.JupyterHub.load_roles = [
    {"name": "user", "scopes": ["self", *(f"{scope}!user" for scope in MAY)]},
    # A portal of yours: it starts servers and makes tokens of single users. It can not enter a server itself.
    {"name": "portal", "services": ["portal"], "scopes": ["admin:users", "admin:servers", "tokens"]},
    {
        "name": "culler",
        "services": ["culler"],
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
    },
]
c.JupyterHub.services = [
    {"name": "portal", "api_token": "made by: openssl rand -hex 32"},  # replace it, or leave the portal out
    # A build keeps its server, an open panel alone does not.
    {"name": "culler", "command": [sys.executable, "-m", "jupyterhub_idle_culler", "--timeout=3600"]},
]

# Several servers of one user, for example one on each partition, share the environments of one home.
c.JupyterHub.allow_named_servers = True
c.JupyterHub.named_server_limit_per_user = 4

# All variables of servers stand in this one dictionary: another assignment would replace it.
c.Spawner.environment = {
    "JUPYTER_PATH": "/srv/jupyter",  # below it, “kernels” are those that staff published (preinstall.md)
    # "PIP_CACHE_DIR": …, "UV_CACHE_DIR": …  # as setup.md has them, where no module sets them
}
