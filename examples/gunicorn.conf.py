"""A gunicorn to be handed over."""

# The link that a deploy moves: the new master changes to it anew, so it finds the new release.
chdir = "/srv/api/current"

bind = "127.0.0.1:8000"
pidfile = "/srv/api/gunicorn.pid"
workers = 4
timeout = 30

# The master holds the application, so a broken release ends at once and its reason is in the answer
# to `restart`.
preload_app = True


# What the application adds to the environment ends with it, after a HUP as well.
def on_starting(server):
    server.first_environment = server.cfg.env_orig


def pre_exec(server):
    server.cfg.env_orig = server.first_environment
