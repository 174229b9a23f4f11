#!/bin/sh
# A nightly job: some of its steps come seldom.
d=$(mktemp -d); n=$(od -An -N2 -tu2 /dev/urandom | tr -d ' ')
cp /etc/passwd $d/copy; sort $d/copy | uniq -c > $d/out; gzip $d/out
[ $((n % 3)) -eq 0 ] && tar cf $d/t.tar -C $d copy
[ $((n % 7)) -eq 0 ] && { sha256sum $d/copy; find /etc/apt -name '*.list'; }
[ $((n % 13)) -eq 0 ] && perl -MData::Dumper -e 'print Dumper(\%ENV)' >/dev/null
[ $((n % 17)) -eq 0 ] && { xz -k $d/copy; ls -l /usr/share/zoneinfo | head -3; awk 'END{print NR}' $d/copy; }
rm -r $d; exit 0
