# The link that a deploy moves. A master re-executes itself here, so it finds the new release; the
# `directory` of a supervisor would be the folder that the link meant at the first start.
working_directory "/srv/web/current"

listen "/srv/web/unicorn.sock", backlog: 1024
pid "/srv/web/unicorn.pid"
worker_processes 4
timeout 30

# The master holds the application, so a broken release ends at once and its reason is in the answer
# to `restart`, and workers that are brought back after a failed soak are the old release.
preload_app true

# The environment from the supervisor, before the application adds to it.
$environment ||= ENV.to_h

before_exec do |server|
  ENV.replace($environment.merge("UNICORN_FD" => ENV["UNICORN_FD"]))
  ENV["BUNDLE_GEMFILE"] = "/srv/web/current/Gemfile" # `bundle exec unicorn` has set it
end

# No QUIT to the old master in before_fork: the handover does that, when every new worker is ready.
