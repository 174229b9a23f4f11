use strict;
use Socket;
open my $config, '<', '/srv/app/config' or die;
print while <$config>;
socket(my $unused, PF_INET, SOCK_STREAM, 0) or die;
syscall(39);
