-- content: the sealed content of a message.
SELECT head, tail, sealed FROM content WHERE message = ?;
