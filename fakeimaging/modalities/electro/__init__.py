"""What EEG, MEG and intracranial EEG share: sources, fields, sensors, and the stages between brain and file."""
