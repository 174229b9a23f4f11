# Services that are recorded and watched: each is started, used and ended. One that is not installed is left out.

place=$(mktemp -d)

# Asks the server on this port for so many of the directory's files.
fetch() {
    /usr/bin/python3 - "$@" <<'PY'
import http.client, itertools, os, sys, time
port, root, count = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
for _ in range(200):
    try:
        server = http.client.HTTPConnection("127.0.0.1", port)
        server.connect()
        break
    except OSError:
        time.sleep(0.05)
files = (os.path.join(at, name) for at, below, names in os.walk(root) for name in names)
for path in itertools.islice(files, count):
    server.request("GET", os.path.relpath(path, "/usr/share"))
    server.getresponse().read()
PY
}

# nginx_serves DIRECTORY COUNT
nginx_serves() {
    command -v nginx >/dev/null || return 0
    mkdir -p "$place/nginx"
    cat >"$place/nginx/nginx.conf" <<CONF
daemon off;
worker_processes 2;
pid nginx.pid;
error_log error.log;
events {}
http {
    access_log access.log;
    server { listen 127.0.0.1:8080; root /usr/share; }
}
CONF
    nginx -p "$place/nginx" -c nginx.conf 2>/dev/null &
    fetch 8080 "$1" "$2"
    kill -QUIT $!
    wait $! || true
}

# python_serves DIRECTORY COUNT
python_serves() {
    /usr/bin/python3 -m http.server --bind 127.0.0.1 --directory /usr/share 8081 2>/dev/null &
    fetch 8081 "$1" "$2"
    kill $!
    wait $! || true
}

# redis_keeps FILE COUNT: under so many keys, with a client started for each.
redis_keeps() {
    command -v redis-server >/dev/null || return 0
    redis-server --port 6379 --dir "$place" --dbfilename "$1" --save "" --pidfile "$place/redis.pid" &
    until redis-cli ping; do sleep 0.1; done
    for key in $(seq "$2"); do
        redis-cli set "$1-$key" value
    done
    redis-cli save
    redis-cli shutdown
    wait $! || true
}

# works DIRECTORY PROGRAM...: a job that goes through files, as an image build or a backup does.
works() {
    directory=$1
    shift
    find "$directory" -type f | head -n 300 | xargs -n 100 "$@"
}
