-- Which applications have something here: those that ended are looked for again and again, and theirs is deleted.
CREATE INDEX files_of_applications ON router.files (application) WHERE application <> '';
CREATE INDEX batches_of_applications ON router.batches (application) WHERE application <> '';
