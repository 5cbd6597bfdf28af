-- The lock token of the turn that was acknowledged last, NULL before the first:
-- who kept the code suspended after that turn need not read the history again.
ALTER TABLE instances ADD COLUMN turn_token TEXT;
