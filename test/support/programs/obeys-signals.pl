# Says that it is ready on fd 3, then ends as the signal says: USR1 with 7, USR2 with 0. "stubborn" as an argument: ignores TERM;
# "quits": HUP with 125. It takes its time to be ready: Debian's s6-svlisten can lose what it reads in one go with D.
use strict;
use warnings;
$SIG{USR1} = sub { exit 7 };
$SIG{USR2} = sub { exit 0 };
$SIG{TERM} = 'IGNORE' if @ARGV && $ARGV[0] eq 'stubborn';
$SIG{HUP} = sub { exit 125 } if @ARGV && $ARGV[0] eq 'quits';
select(undef, undef, undef, 0.2);
if (open(my $ready, '>&=', 3)) {
  syswrite($ready, "\n");
  close($ready);
}
sleep 1000 while 1;
