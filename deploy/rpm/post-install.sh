#!/bin/sh
# As Fedora's macro %systemd_post: whether the service is enabled is the presets' to say, and it is started by whoever wants it.
if [ "$1" -eq 1 ] && [ -x /usr/bin/systemctl ]; then
    systemctl --no-reload preset monitoring-rs.service || :
fi
