"""Images under the names that pages use: small programs that do what the page needs of the real ones.

No registry is reached. A page's commands and files are those for the real images.
"""

import io
import tarfile
from dataclasses import dataclass, field
from pathlib import Path

import docker

from tests.engine import roots

_NEWEST = "28.5"
_SUITE = "forky"


@dataclass(frozen=True)
class StandIn:
    """What an image runs, and the files that it has besides busybox."""

    server: str
    files: dict[str, str] = field(default_factory=dict)
    ports: tuple[int, ...] = ()
    package: str = ""
    """The package of Debian with the real program, where a page is about what that one does."""

    @property
    def changes(self) -> list[str]:
        """What the image says of itself."""
        if not self.server:
            return ['CMD ["sh"]']
        return ['ENTRYPOINT ["/bin/entry"]', "CMD []", *(f"EXPOSE {port}" for port in self.ports)]


def _answering(port: int, greeting: str, client: str) -> StandIn:
    """A server that greets each connection, and a client that tells whether it does."""
    return StandIn(
        f"exec nc -ll -p {port} -e /bin/greet",
        {
            "bin/greet": f"#!/bin/sh\necho {greeting}\n",
            f"bin/{client}": f'#!/bin/sh\ntest -n "$(nc -w 1 127.0.0.1 {port} </dev/null)"\n',
        },
        (port,),
    )


_ENTRY = """\
#!/bin/sh
case "$1" in
    "" | -*) {server} ;;
    *) exec "$@" ;;
esac
"""
_INSTALL = """\
#!/bin/sh
if [ -n "$(nc -w 2 "${WORDPRESS_DB_HOST:-mysql}" 3306 </dev/null)" ]; then
    printf 'Status: 302 Found\\r\\nLocation: /wp-admin/install.php\\r\\n\\r\\n'
else
    printf 'Status: 500 Internal Server Error\\r\\nContent-Type: text/html\\r\\n\\r\\n'
    echo 'Error establishing a database connection'
fi
"""
_NGINX = """\
user root;
pid /tmp/nginx.pid;
error_log /dev/stderr notice;
events {}
http {
    access_log off;
    client_body_temp_path /tmp/1; proxy_temp_path /tmp/2; fastcgi_temp_path /tmp/3;
    uwsgi_temp_path /tmp/4; scgi_temp_path /tmp/5;
    include /etc/nginx/conf.d/*.conf;
}
"""
_SOCKET_PROXY = """\
#!/bin/sh
for option; do
    case "$option" in
        -proxysocketendpoint=*) endpoint="${option#*=}" ;;
        -allowGET=*) allowed="${option#*=}" ;;
    esac
done
cat >/dev/shm/haproxy.cfg <<END
defaults
    mode http
    timeout connect 5s
    timeout client 1h
    timeout server 1h
frontend filtered
    bind $endpoint mode 600
    http-request deny unless { method GET } { path_reg ^($allowed)$ }
    default_backend engine
backend engine
    server engine unix@/var/run/docker.sock
END
exec haproxy -db -f /dev/shm/haproxy.cfg
"""
"""wollomatic's, with two of its options: what is not allowed is refused."""
_DEFAULT = "server { listen 80; location / { root /usr/share/nginx/html; } }\n"
_BY_NAME = {
    "mysql": _answering(3306, "8.4", "mysqladmin"),
    "mariadb": _answering(3306, "11.8", "mariadb-admin"),
    "postgres": _answering(5432, "17", "pg_isready"),
    "redis": _answering(6379, "+PONG", "redis-cli"),
    "busybox": StandIn(""),
    "nginx": StandIn(
        "exec nginx -g 'daemon off;'",
        {
            "etc/nginx/nginx.conf": _NGINX,
            "etc/nginx/conf.d/default.conf": _DEFAULT,
            "usr/share/nginx/html/index.html": "<title>Welcome to nginx!</title>\n",
            "var/log/nginx/error.log": "",
        },
        (80,),
        package="nginx",
    ),
    "httpd": StandIn(
        "exec httpd -f -p 80 -h /www", {"www/index.html": "<html><body><h1>It works!</h1></body></html>\n"}, (80,)
    ),
    "haproxy": StandIn("exec haproxy -W -db -f /usr/local/etc/haproxy/haproxy.cfg", package="haproxy"),
    "socket-proxy": StandIn('exec socket-proxy "$@"', {"bin/socket-proxy": _SOCKET_PROXY}, package="haproxy"),
    "wordpress": StandIn("exec httpd -f -p 80 -h /www", {"www/cgi-bin/index.cgi": _INSTALL}, (80,)),
}
_AT_ONCE = "STOPSIGNAL SIGKILL"
"""A shell as process 1 ignores SIGTERM, and the engine would wait ten seconds for it."""
_OTHER = StandIn("exec sleep infinity")


def make(client: docker.DockerClient, name: str) -> None:
    """Give the engine an image of this name, unless it has one."""
    if any((image.attrs["Config"] or {}).get("StopSignal") for image in client.images.list(name=name)):
        return
    repository, _, tag = name.partition(":")
    stand_in = _BY_NAME.get(repository.rpartition("/")[2], _OTHER)
    changes = [*stand_in.changes, _AT_ONCE]
    client.api.import_image_from_data(_archive(stand_in), repository=repository, tag=tag or "latest", changes=changes)


def _archive(stand_in: StandIn) -> bytes:
    """The file system: busybox with the files of its own."""
    made = io.BytesIO((roots.fetch(_NEWEST) / roots.IMAGE).read_bytes())
    with tarfile.open(fileobj=made, mode="a") as archive:
        if stand_in.package:
            _add_program(archive, _unpacked(stand_in.package))
        for name, text in {**stand_in.files, "bin/entry": _ENTRY.format(server=stand_in.server)}.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text.encode()), 0o755
            archive.addfile(entry, io.BytesIO(text.encode()))
    return made.getvalue()


def _unpacked(package: str) -> Path:
    """A root with a package of Debian and all that it needs."""
    return roots.packaged(f"stand-in-{package}", _SUITE, [package])


def _add_program(archive: tarfile.TarFile, root: Path) -> None:
    """Add the daemons and libraries of a root; commands stay busybox's."""
    archive.add(root / "usr/sbin", "usr/sbin")
    for libraries in root.glob("usr/lib/*-linux-gnu*"):
        archive.add(libraries, f"usr/lib/{libraries.name}")
    for loader in root.glob("usr/lib*/ld-linux-*"):
        (real,) = root.glob(f"usr/lib/*-linux-gnu*/{loader.name}")
        link = tarfile.TarInfo(f"{loader.parent.name}/{loader.name}")
        link.type, link.linkname = tarfile.SYMTYPE, f"/{real.relative_to(root)}"
        archive.addfile(link)
