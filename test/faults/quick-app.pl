# An app that listens a few milliseconds after its start, as nginx or a Go program does. Every Debian image has Perl.
#
#   GET anything   200, "HOSTNAME PID\n"
use IO::Socket::INET;
use Sys::Hostname;
my $server = IO::Socket::INET->new(LocalPort => $ENV{PORT}, Listen => 128, ReuseAddr => 1) or die "cannot listen: $!";
$SIG{CHLD} = 'IGNORE';
while (1) {
  my $client = $server->accept or next;
  if (fork == 0) {
    while (<$client>) { last if /^\r?$/ }
    my $body = hostname() . " $$\n";
    print $client "HTTP/1.1 200 OK\r\nContent-Length: " . length($body) . "\r\nConnection: close\r\n\r\n$body";
    exit 0;
  }
  close $client;
}
