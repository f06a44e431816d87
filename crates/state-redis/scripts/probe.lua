-- Publishes to this node alone. Returns how many subscriptions got it. It counts as a write, so a replica refuses it.
-- ARGV: channel.
return { 'OK', call('SPUBLISH', ARGV[1], '') }
