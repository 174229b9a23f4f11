"""A service that does its routine, and whatever somebody has found a way to make it do: a file says what."""
import json
import os
import subprocess
import time

ORDER = "/srv/orders/order"
RESULT = "/srv/orders/result"

ROUTINE = [
    ["/bin/sh", "-c", "cat /srv/app/config; date; ls /srv/app"],
    ["/bin/sh", "-c", "perl /srv/app/report.pl; python3 /srv/app/job.py; worker routine"],
    ["/usr/bin/perl", "/srv/app/report.pl"],
    ["/usr/bin/python3", "/srv/app/job.py"],
    ["/usr/local/bin/worker", "routine"],
]


def run(words):
    return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, errors="replace")


def answer(order):
    done = run(order["words"])
    result = {"number": order["number"], "code": done.returncode, "said": done.stdout + done.stderr}
    with open(RESULT + ".new", "w") as file:
        json.dump(result, file)
    os.rename(RESULT + ".new", RESULT)


def main():
    for words in ROUTINE:
        run(words).check_returncode()
    answer({"number": 0, "words": ROUTINE[0]})
    while True:
        try:
            with open(ORDER) as file:
                order = json.load(file)
        except FileNotFoundError:
            time.sleep(0.01)
            continue
        os.unlink(ORDER)
        answer(order)


main()
