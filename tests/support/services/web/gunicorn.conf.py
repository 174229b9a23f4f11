bind = "0.0.0.0:8000"
workers = 2
max_requests = 60
max_requests_jitter = 20
accesslog = "/var/log/web/access.log"
errorlog = "/var/log/web/error.log"
pidfile = "/run/web/gunicorn.pid"
