#!/bin/sh
# As %systemd_postun_with_restart: goes on with the new binary where it ran. The lines stay: rpm knows no purge.
if [ -x /usr/bin/systemctl ]; then
    systemctl daemon-reload || :
    if [ "$1" -ge 1 ]; then
        systemctl try-restart monitoring-rs.service || :
    fi
fi
