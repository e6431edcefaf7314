#!/bin/sh
# As %systemd_preun: stopped and disabled when it is removed, not when it is upgraded.
if [ "$1" -eq 0 ] && [ -x /usr/bin/systemctl ]; then
    systemctl --no-reload disable --now monitoring-rs.service || :
fi
