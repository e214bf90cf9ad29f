"""A host of one program, in the foreground: for runit, systemd, Docker, s6 and Procfiles."""
