package Calculator;

use strict;
use warnings;

use nginx;

# Answers /calc?6*7. Whoever asks decides what Perl runs here: this is the hole in the demo's server.
sub answer {
    my $request = shift;
    my $result = eval $request->unescape($request->args // '');
    $request->send_http_header('text/plain');
    $request->print($result // 'not a sum', "\n");
    return OK;
}

1;
