#!/usr/bin/perl
# Writes "line <n> of <name>." without end, 50 lines at a time. A shell would start a program for each pause.
# usage: counts-lines.pl NAME
use strict;
use warnings;

my ($name) = @ARGV;
my $n = 0;
while (1) {
    for (1 .. 50) {
        $n++;
        syswrite STDOUT, "line $n of $name.\n" or die "cannot write: $!\n";
    }
    select undef, undef, undef, 0.1;
}
