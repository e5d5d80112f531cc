-- Owners are told of reports that failed, too; of those that failed before this, nobody is told any more.

UPDATE usage.reports
SET told = true
WHERE status = 'failed' AND NOT told;

DROP INDEX usage.reports_untold;
-- Telling owners.
CREATE INDEX reports_untold ON usage.reports (finished_at) WHERE status IN ('done', 'failed') AND NOT told;
COMMENT ON COLUMN usage.reports.told IS 'its owner knows how it ended, or waited for it';
