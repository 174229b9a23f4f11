"""A shop's back office: notes, uploads, reports, sessions in files."""

import csv
import hashlib
import io
import json
import os
import secrets
import sqlite3
import tempfile
import time
import urllib.request
import uuid
import zipfile

from flask import Flask, abort, g, redirect, render_template, request, send_file

STATE = "/var/lib/web"
SESSIONS = os.path.join(STATE, "sessions")
UPLOADS = "/srv/uploads"
CACHE = "/var/cache/web"
UPSTREAM = os.environ["UPSTREAM"]

app = Flask(__name__)


def database():
    if "database" not in g:
        g.database = sqlite3.connect(os.path.join(STATE, "notes.db"), timeout=20)
        g.database.execute(
            "CREATE TABLE IF NOT EXISTS notes (id INTEGER PRIMARY KEY, author TEXT, text TEXT)"
        )
    return g.database


@app.teardown_appcontext
def close(_error):
    found = g.pop("database", None)
    if found is not None:
        found.close()


def session():
    """The visitor's session, which is a file with a random name."""
    token = request.cookies.get("session", "")
    path = os.path.join(SESSIONS, "sess_" + token)
    if len(token) != 32 or not token.isalnum() or not os.path.exists(path):
        return None
    with open(path) as file:
        return json.load(file)


@app.get("/healthz")
def healthz():
    return "well\n"


@app.get("/")
def index():
    rows = database().execute("SELECT author, text FROM notes ORDER BY id DESC LIMIT 20")
    return render_template("index.html", notes=rows.fetchall(), session=session())


@app.post("/login")
def login():
    name = request.form.get("name", "")
    if not name.isalpha():
        return render_template("login.html", error="letters only"), 400
    token = secrets.token_hex(16)
    with tempfile.NamedTemporaryFile("w", dir=SESSIONS, prefix=".new-", delete=False) as file:
        json.dump({"name": name, "at": time.time()}, file)
    os.rename(file.name, os.path.join(SESSIONS, "sess_" + token))
    answer = redirect("/")
    answer.set_cookie("session", token)
    return answer


@app.post("/logout")
def logout():
    if session() is None:
        abort(403)
    os.unlink(os.path.join(SESSIONS, "sess_" + request.cookies["session"]))
    return redirect("/")


@app.post("/notes")
def notes():
    who = session()
    if who is None:
        abort(403)
    with database() as connection:
        connection.execute(
            "INSERT INTO notes (author, text) VALUES (?, ?)", (who["name"], request.form["text"])
        )
    return redirect("/")


@app.post("/uploads")
def upload():
    if session() is None:
        abort(403)
    file = request.files["file"]
    kind = os.path.splitext(file.filename)[1]
    if kind not in (".png", ".txt", ".pdf"):
        abort(415)
    name = f"{uuid.uuid4()}{kind}"
    file.save(os.path.join(UPLOADS, name))
    return name, 201


@app.get("/uploads/<name>")
def download(name):
    path = os.path.join(UPLOADS, os.path.basename(name))
    return send_file(path) if os.path.exists(path) else abort(404)


@app.get("/report")
def report():
    with tempfile.TemporaryDirectory(prefix="report-") as place:
        table = os.path.join(place, "notes.csv")
        with open(table, "w", newline="") as file:
            csv.writer(file).writerows(database().execute("SELECT * FROM notes"))
        packed = os.path.join(place, "notes.zip")
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(table, "notes.csv")
        with open(packed, "rb") as file:
            return send_file(io.BytesIO(file.read()), mimetype="application/zip")


@app.get("/thumb/<name>")
def thumb(name):
    digest = hashlib.sha1(name.encode()).hexdigest()
    path = os.path.join(CACHE, digest[:2], digest[2:] + ".thumb")
    if not os.path.exists(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(digest.encode() * 50)
    return send_file(path, mimetype="image/png")


@app.get("/stock/<item>")
def stock(item):
    with urllib.request.urlopen(f"http://{UPSTREAM}/stock/{item}?size=64", timeout=5) as answer:
        return answer.read()


@app.get("/broken")
def broken():
    raise RuntimeError("as every application has one")


@app.post("/debug/console")
def console():
    """Left open by somebody who only wanted to look."""
    names = {}
    exec(request.get_data(as_text=True), names)
    return str(names.get("result", ""))
