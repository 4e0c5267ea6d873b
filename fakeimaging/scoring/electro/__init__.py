"""What scores of EEG, MEG and intracranial EEG share: reading files, the alpha peak, sources by minimum norm, detectors of artefacts."""
