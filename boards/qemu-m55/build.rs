fn main() {
    smidgen_board_build::board();
}
