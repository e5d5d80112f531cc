-- A second wall behind the WHERE of each query: a session sees the rows of the user it names in razvilka.user, of all
-- users when it says so ('*': writers of batches, checks), and none when it says nothing. The owner is not bound, so
-- ensure_month can move rows.

ALTER TABLE usage.usage ENABLE ROW LEVEL SECURITY;
ALTER TABLE usage.usage_default ENABLE ROW LEVEL SECURITY;
ALTER TABLE usage.rollup_day ENABLE ROW LEVEL SECURITY;
ALTER TABLE usage.rollup_hour_user ENABLE ROW LEVEL SECURITY;

-- In a sub-select the setting is read once a statement, not once a row.
CREATE POLICY of_the_named_user ON usage.usage USING (
    user_id = (SELECT current_setting('razvilka.user', true)) OR (SELECT current_setting('razvilka.user', true)) = '*'
);
CREATE POLICY of_the_named_user ON usage.usage_default USING (
    user_id = (SELECT current_setting('razvilka.user', true)) OR (SELECT current_setting('razvilka.user', true)) = '*'
);
CREATE POLICY of_the_named_user ON usage.rollup_day USING (
    user_id = (SELECT current_setting('razvilka.user', true)) OR (SELECT current_setting('razvilka.user', true)) = '*'
);
CREATE POLICY of_the_named_user ON usage.rollup_hour_user USING (
    user_id = (SELECT current_setting('razvilka.user', true)) OR (SELECT current_setting('razvilka.user', true)) = '*'
);
