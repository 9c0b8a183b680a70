"""model + call -> what compiling it would make, without compiling."""
