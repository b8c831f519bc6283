fn main() {
    smidgen_board_build::board_of_hal("linkall.x");
}
