"""A real nginx: it looks up its upstream when it reads its configuration, so it needs a notification."""

import pytest
from docker.models.containers import Container

from tests import image
from tests.conftest import Lab, eventually, newest_only

pytestmark = newest_only

CONFIGURATION = """\
user nobody nogroup;
worker_processes 1;
pid /tmp/pid;
error_log /dev/stderr notice;
events {}
http {
  access_log off;
  client_body_temp_path /tmp/1; proxy_temp_path /tmp/2; fastcgi_temp_path /tmp/3;
  uwsgi_temp_path /tmp/4; scgi_temp_path /tmp/5;
  server { listen 80; location / { proxy_pass http://db:8080; proxy_connect_timeout 1s; } }
}
"""
PROGRAM = "nginx -c /conf/nginx.conf"


def started(lab: Lab, name: str, **labels: str) -> Container:
    """An nginx in front of `db`, with the configuration in the lab's directory."""
    root = f"/host{image.nginx()}/usr"
    volumes = {root: "/usr", f"{root}/lib": "/lib", f"{root}/lib64": "/lib64", str(lab.directory): "/conf"}
    volumes |= {str(lab.directory / "nsswitch.conf"): "/etc/nsswitch.conf"}
    mounts = [f"{source}:{target}:ro" for source, target in volumes.items()]
    wanted = {"hostwatch.hosts": "@{db.ip} db"} | {f"hostwatch.{key}": value for key, value in labels.items()}
    return lab.run(name, f"exec {PROGRAM} -g 'daemon off;'", volumes=mounts, labels=wanted)


def served(lab: Lab, text: str, address: str) -> Container:
    """A new `db` at this address that answers with a text."""
    return lab.run("db", f"mkdir /www; echo {text} > /www/index.html; exec httpd -f -p 8080 -h /www", address)


def answer(client: Container, server: Container) -> str:
    """The server's answer to a request for its front page."""
    server.reload()
    (network,) = server.attrs["NetworkSettings"]["Networks"].values()
    request = f"(printf 'GET / HTTP/1.0\\r\\n\\r\\n'; sleep 0.5) | nc -w 3 {network['IPAddress']} 80"
    output = client.exec_run(["sh", "-c", request]).output
    assert isinstance(output, bytes)
    return output.decode()


@pytest.mark.parametrize("notification", ["SIGHUP", f"exec: {PROGRAM} -s reload"], ids=["signal", "exec"])
def test_nginx_follows_its_upstream(lab: Lab, notification: str) -> None:
    """It finds `db` at its start, and the new one after one reload. An nginx without notification does not."""
    # Written once for both: a second write empties the file for a moment, and the first server may read it then.
    (lab.directory / "nginx.conf").write_text(CONFIGURATION)
    (lab.directory / "nsswitch.conf").write_text("hosts: files\n")
    with lab.hostwatch("-c", lab.configured("timing: {notify_debounce: 200ms}")) as hostwatch:
        client, db = lab.run("client"), served(lab, "first", "10.123.7.7")
        told, untold = started(lab, "told", notify=notification), started(lab, "untold")
        for server in (told, untold):
            eventually(lambda server=server: "first" in answer(client, server))  # type: ignore[misc]
        db.remove(force=True)
        served(lab, "second", "10.123.7.8")
        eventually(lambda: "second" in answer(client, told))
        assert "second" not in answer(client, untold)
        eventually(lambda: "told: notified by" in hostwatch.log)
    assert told.logs().decode().count("signal 1 (SIGHUP) received") == 1
    assert untold.logs().decode().count("signal 1 (SIGHUP) received") == 0
