-- Publishes to this node alone. Returns the number of receivers. It counts as a write, so a replica refuses it. ARGV:
-- channel.
return { 'OK', call('SPUBLISH', ARGV[1], '') }
